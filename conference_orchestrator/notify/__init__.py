"""What the service tells people: composes each e-mail and its calendar object, and hands it to a mail server.

Knows no database: facts go in as plain frozen values, bytes and outcomes come out.
"""
