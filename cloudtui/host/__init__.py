"""Programs that run on the user's machines; `ssh.host_program` brings them there.

Each stands alone. Python ones need 3.6 and its standard library, `.sh` ones any POSIX sh.
"""
