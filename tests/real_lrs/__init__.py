"""LRSs made by others, which judge the statements that the bridge delivers."""
