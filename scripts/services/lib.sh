# shellcheck shell=bash
# Shared by scripts/services/<name>/{up,down,env}. Sourced, never run.
#
# A service's folder is $CABOTAGE_SERVICES_DIR/<name> (default: target/services/<name>):
#   run/        everything of one start: data, logs, `env`, `pids`; `down` removes it
#   lock        held while `up` or `down` works, so that two callers don't start two servers
# What `up` needs and `down` should keep (downloads) lies beside run/.
#
# Exit codes of `up`: 0 the service answers, 3 it can't be had on this machine (one line says why), 1 it should have come up.

SERVICES_LIB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO_DIR=$(cd "$SERVICES_LIB_DIR/../.." && pwd)
readonly SERVICES_LIB_DIR REPO_DIR

# service_init NAME: sets SERVICE, SERVICE_DIR, RUN_DIR and takes the lock (descriptor 9).
service_init() {
    SERVICE=$1
    SERVICE_DIR=${CABOTAGE_SERVICES_DIR:-$REPO_DIR/target/services}/$SERVICE
    mkdir -p "$SERVICE_DIR"
    SERVICE_DIR=$(cd "$SERVICE_DIR" && pwd)
    RUN_DIR=$SERVICE_DIR/run
    exec 9>"$SERVICE_DIR/lock"
    flock -w 600 9 || die "another start or stop holds $SERVICE_DIR/lock"
}

say() { printf '%s: %s\n' "$SERVICE" "$*"; }
die() { printf '%s: %s\n' "${SERVICE:-services}" "$*" >&2; exit 1; }
# skip REASON: this machine can't have the service.
skip() { printf '%s: skipped: %s\n' "$SERVICE" "$*" >&2; exit 3; }

# apt_install PACKAGE...: quiet; says no when not root or without apt-get.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    local log=$SERVICE_DIR/apt.log
    { DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null 9>&-
}

# free_port: a port of 127.0.0.1 on which nothing listens, below the kernel's ephemeral range.
free_port() {
    local port tries
    for tries in $(seq 200); do
        port=$((12000 + (RANDOM * 32768 + RANDOM + tries) % 20000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    die "no free port found"
}

# start_time PID: the kernel's start time of the process; with it a pid names one program run.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # Field 22 of the whole line is the 20th after the command's closing bracket.
    awk '{ if ($1 == "Z") exit 1; print $20 }' <<<"$stat"
}

# start_process NAME COMMAND...: in a session of its own, output to run/NAME.log, recorded in run/pids.
start_process() {
    local name=$1 pid started
    shift
    # In its own folder: some servers write files into the current one.
    (cd "$RUN_DIR" && exec setsid "$@") </dev/null >"$RUN_DIR/$name.log" 2>&1 9>&- &
    pid=$!
    started=$(start_time "$pid") || die "$name ended at once: $(log_tail "$name")"
    printf '%s %s %s\n' "$name" "$pid" "$started" >>"$RUN_DIR/pids"
}

log_tail() { tail -n 5 "$RUN_DIR/$1.log" 2>/dev/null | tr '\n' ' ' | cut -c1-600; }

# is_running PID STARTED: whether that very process is still there.
is_running() { [ "$(start_time "$1" || true)" = "$2" ]; }

# all_running: whether every recorded process is there (and at least one is recorded).
all_running() {
    local name pid started
    [ -s "$RUN_DIR/pids" ] || return 1
    while read -r name pid started; do
        is_running "$pid" "$started" || return 1
    done <"$RUN_DIR/pids"
}

# wait_until SECONDS COMMAND...: polls until the command succeeds; fails when a recorded process has died or time is up.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        all_running || return 1
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# stop_process PID STARTED: TERM, then KILL after 5 s; returns when it is gone.
stop_process() {
    local pid=$1 started=$2 tries
    is_running "$pid" "$started" || return 0
    kill -TERM "$pid" 2>/dev/null || true
    for tries in $(seq 100); do
        is_running "$pid" "$started" || return 0
        [ "$tries" != 50 ] || kill -KILL "$pid" 2>/dev/null || true
        sleep 0.1
    done
    die "process $pid does not end"
}

# stop_all: ends the recorded processes, the last started first.
stop_all() {
    local pid started
    [ -f "$RUN_DIR/pids" ] || return 0
    while read -r _ pid started; do
        stop_process "$pid" "$started"
    done < <(tac "$RUN_DIR/pids")
}

# service_down: stops what `up` started and removes its data.
service_down() {
    stop_all
    rm -rf "$RUN_DIR"
    say "down"
}

# service_env: prints the export lines written by `up`; fails when the service isn't up.
service_env() {
    [ -f "$RUN_DIR/env" ] || die "not up: run scripts/services/$SERVICE/up first"
    cat "$RUN_DIR/env"
}

# put_env NAME VALUE: one export line, quoted for a shell.
put_env() { printf "export %s='%s'\n" "$1" "${2//\'/\'\\\'\'}" >>"$RUN_DIR/env.new"; }
# give_up REASON: ends what this start began; its logs stay in run/ until the next start.
give_up() {
    stop_all
    rm -f "$RUN_DIR/pids"
    die "$*"
}
# publish_env: the env file appears only when the service answers, so its presence means "up".
publish_env() { mv "$RUN_DIR/env.new" "$RUN_DIR/env"; }

# is_up: started earlier, its processes still there.
is_up() { [ -f "$RUN_DIR/env" ] && all_running; }

# fresh_run: ends the rest of an earlier start and makes an empty run folder.
fresh_run() {
    stop_all
    rm -rf "$RUN_DIR"
    mkdir -p "$RUN_DIR"
    chmod 700 "$RUN_DIR"
}
