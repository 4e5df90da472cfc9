"""They connect panels, session, jobs and canvases, and build no widgets."""
