"""What is true of the GPUs: read from the driver's own library, or a clean "none"."""
