"""Said: the invitations issued to each person, and one message per recipient with its fate."""
