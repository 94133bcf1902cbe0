"""HTTP and command line; everything is built here, once."""

__version__ = "0.1.0"
