"""`make run`: the whole of Huntaze on one machine, with stand-ins for what is not there."""
