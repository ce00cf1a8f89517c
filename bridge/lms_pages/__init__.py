"""Pages of LMSs, seen from outside: which LMS they seem to be of, and how to connect that one."""
