"""The bridge as operators run it: processes of their own, killed and started again."""
