"""Massive's paths: the vendor's own client asks this server, and so does another Condvest.

``paths`` lists them, ``reading`` reads what each is asked, ``answering`` makes the bytes and the errors.
"""
