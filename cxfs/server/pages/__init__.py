"""What people see in a browser: `/mycx/…`. Plain HTML and CSS without any script.

rendering   templates, and the headers that every page has
visits      who is at the browser, and whether a form is ours
entrance    signing in and out
consent     may this application have access?
browsing    the trees, to read and to download
grants      who has access, and taking it back
addresses   which address is which page
"""
