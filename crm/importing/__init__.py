"""A CSV file on its way into the ledger, in the order in which it is read.

``encoding`` bytes to text, ``records`` text to cells, ``columns`` what the columns mean, ``cells`` what the cells say,
``rows`` both together, ``survey`` what must be asked before anything is written, ``fans`` and ``payments`` the writing,
``running`` chunk by chunk, ``undoing`` the way back.
"""
