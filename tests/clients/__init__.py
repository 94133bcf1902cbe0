"""Real clients of other hands: programs in JavaScript, and what it takes to run them and the examples of the docs."""
