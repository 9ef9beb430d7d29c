"""What cloudtui does: use cases, and the owner of whatever outlives a screen."""
