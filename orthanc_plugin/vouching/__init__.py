"""Reviews that this store does not know: are they ours?"""
