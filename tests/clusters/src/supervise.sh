# Stands between a test and its server. Each line of the input is a command for this shell, and what became of what was
# run is answered line by line. At the end of the input, which comes in any case when the test is gone, the server is
# stopped and the directory is removed.
ulimit -c 0
directory=$1
cd "$directory" || exit
exec 2>>log

# Runs a program to its end, beside this shell.
serve() {
    {
        "$@" </dev/null >>log 2>&1 &
        echo $! >running
        echo started
        wait $!
        status=$?
        rm -f running
        echo "ended $status"
    } &
}

# Sends a signal to the program that runs, if one does.
signal() {
    if [ -e running ]; then kill -s "$1" "$(cat running)"; fi
}

clean() {
    trap '' HUP INT TERM PIPE
    # One of them ends it at once: which one differs between PgBouncer's versions.
    signal QUIT
    signal TERM
    wait
    cd /
    # The last processes of a server that was killed may still be writing.
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$directory" 2>/dev/null && break
        sleep 0.2
    done
}
trap clean EXIT
trap exit HUP INT TERM

echo ready
while read -r line; do eval "$line"; done
