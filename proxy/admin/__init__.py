"""What the proxy tells of itself in result sets: values in, tables out. Pure."""
