"""Questions to one or two networks: do their maps agree, and are they faithful?"""
