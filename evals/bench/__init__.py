"""What the server costs, as ratios to the least possible server on the same machine, in the same minute."""
