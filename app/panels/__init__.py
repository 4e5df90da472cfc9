"""What the user sees beside the canvases; panels emit what was asked for and never change the model."""
