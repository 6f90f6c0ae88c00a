"""What keeps a daemon up and shows that it is: the service manager, the machine's sleep, a loop that stands still.

Knows no mount: each part is handed what it is to do, and tells what it sees.
"""
