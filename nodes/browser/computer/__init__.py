"""A browser as a computer: a screen that is seen in pictures, a pointer and keys."""
