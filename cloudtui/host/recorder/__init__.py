"""The black box of a host's notebooks: what their kernels print is kept there, with times.

Python 3.6 and its standard library, nothing else; `cloudtui.ssh.recorder` brings the folder there
and runs it: `python3 FOLDER record`.
"""
