"""The hosted browser: Chromium, one isolated context a conversation, driven by Playwright."""
