"""The plugin of pytest. What pytest calls is in `hooks`, which is the entry point."""
