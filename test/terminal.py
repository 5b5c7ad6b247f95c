# Runs a command on a terminal of its own and types at it: terminal.py SCRIPT -- COMMAND ...
# SCRIPT is JSON: a list of [text to wait for in the output, text to type then]; "^C" is Ctrl-C.
# Prints JSON: everything that the terminal received, the exit status, the seconds from the last key to the end.
import json, os, pty, sys, time

script = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM='xterm', COLUMNS='100', LINES='30')
    os.execvp(sys.argv[3], sys.argv[3:])
import fcntl, struct, termios
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
output, seen, typed_at = b'', 0, time.time()
while True:
    if script and script[0][0].encode() in output[seen:]:
        wait, keys = script.pop(0)
        seen = len(output)
        time.sleep(0.4)  # longer than one key press may take to arrive twice
        os.write(terminal, b'\x03' if keys == '^C' else keys.encode())
        typed_at = time.time()
    try:
        received = os.read(terminal, 65536)
    except OSError:  # the command has closed the terminal
        break
    if not received:
        break
    output += received
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({'output': output.decode(errors='replace'), 'status': status, 'seconds': time.time() - typed_at}))
