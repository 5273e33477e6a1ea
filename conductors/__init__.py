"""
Conductors over networks, one package each, found by the scheme of a URL.

Nothing is imported here: `atomizer.conductor_from_url()` imports the one that is asked for.
"""
