"""What happens to a response when its server is killed, paused, stopped or cut off at a named point."""
