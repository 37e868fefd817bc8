"""Wake-ups: a process that has changed something tells the processes that wait for it, so that nobody needs to look all the time.

A wake-up may be lost, and it may come for nothing. So it only says "look now": whoever waits also looks by itself, more slowly.
"""
