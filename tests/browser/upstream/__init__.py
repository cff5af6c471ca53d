"""Backbone's and Backbone.Radio's own tests, in a page with our libraries and with what we put over them."""
