"""Readers and writers of volumes and particle coordinates; the only place where xyz order exists."""
