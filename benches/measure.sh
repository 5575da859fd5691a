# Read by the scripts of this folder (`. benches/measure.sh`), not run: building, starting, timing, judging.
# shellcheck shell=bash
#
# What is measured stands on core $SERVER_CORE, what loads it on $LOAD_CORE. Rounds are interleaved, and only ratios of
# one run are judged: a machine that is slow for a moment is slow for both sides.

set -euo pipefail
# Decimal points and sorting are the same everywhere.
export LC_ALL=C

BENCHES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export BENCHES # the scripts of wrk read requests.lua there
REPOSITORY=$(dirname "$BENCHES")
SERVER_CORE=${SERVER_CORE:-0}
LOAD_CORE=${LOAD_CORE:-1}
ROUNDS=${ROUNDS:-3}
# The first of ten ports in a row.
PORT=${PORT:-18200}

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "benches: $*"
    exit 1
}

# need PROGRAM=PACKAGE...: installs what is missing where that may be, and names it elsewhere.
need() {
    local wanted missing=()
    export PATH=$PATH:/usr/sbin
    for wanted in "$@"; do
        command -v "${wanted%%=*}" >/dev/null || missing+=("${wanted#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "installing: ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        # Installing must not start servers that nobody asked for.
        if ! { apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
            fail "apt-get could not install ${missing[*]}"
        fi
        return
    fi
    fail "missing, by the names of Debian's packages: ${missing[*]}"
}

# Builds the release, unless PORTCULLIS names a binary already; sets PORTCULLIS and LIMITS.
build() {
    [ "$(nproc --all)" -gt 1 ] || fail "one core alone: load and server would measure each other"
    local target=${CARGO_TARGET_DIR:-$REPOSITORY/target}
    local packages=(-p benches)
    [ -n "${PORTCULLIS:-}" ] || packages+=(-p portcullis)
    if [ -z "${LIMITS:-}" ]; then
        say "building (release): ${packages[*]}"
        (cd "$REPOSITORY" && CARGO_TARGET_DIR=$target cargo build --locked --release --quiet "${packages[@]}") ||
            fail "the release does not build"
    fi
    export PORTCULLIS=${PORTCULLIS:-$target/release/portcullis}
    export LIMITS=${LIMITS:-$target/release/benches}
    [ -x "$PORTCULLIS" ] || fail "$PORTCULLIS is no program"
}

# A folder of this run's own, and an end that leaves nothing running.
STARTED=()
begin() {
    WORK=$(mktemp -d)
    trap end EXIT
    trap 'exit 130' INT TERM
    local busy
    busy=$(busy_share)
    [ "$busy" -le 15 ] || say "!! the machine is busy ($busy % before anything was started): figures of a quiet one are worth more"
}
end() {
    local pid
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do kill "$pid" 2>/dev/null || true; done
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$WORK"
}

# Per cent of all cores' time that somebody uses, over one second.
busy_share() {
    local before after
    before=$(head -1 /proc/stat)
    sleep 1
    after=$(head -1 /proc/stat)
    printf '%s\n%s\n' "$before" "$after" | awk '
        { total = 0; for (i = 2; i <= 9; i++) total += $i; idle = $5 + $6
          if (NR == 2) printf "%d\n", 100 * (1 - (idle - was_idle) / (total - was_total)); was_total = total; was_idle = idle }'
}

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The ports of this run, ten from $PORT on.
ports_must_be_free() {
    local port
    for ((port = PORT; port < PORT + 10; port++)); do
        ! is_open "$port" || fail "port $port is taken: stop what listens there, or set PORT to the first of ten free ones"
    done
}

# wait_for_port PORT PID LOG
wait_for_port() {
    for _ in $(seq 200); do
        is_open "$1" && return
        kill -0 "$2" 2>/dev/null || break
        sleep 0.05
    done
    tail -5 "$3" >&2
    fail "nothing listens on port $1"
}

# start_portcullis CORES CONFIG: runs `serve`, waits for its ready line, sets SERVER to its process.
start_portcullis() {
    local log=$WORK/portcullis-${#STARTED[@]}
    : >"$log.ready"
    taskset -c "$1" "$PORTCULLIS" serve --config "$2" --json >"$log.ready" 2>"$log.log" &
    SERVER=$!
    STARTED+=("$SERVER")
    for _ in $(seq 400); do
        [ -s "$log.ready" ] && return
        kill -0 "$SERVER" 2>/dev/null || break
        sleep 0.05
    done
    tail -5 "$log.log" >&2
    fail "portcullis did not become ready with $2"
}

stop() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# Microseconds of CPU that a process has used so far, all threads, user and system.
cpu_of() {
    local fields
    fields=$(cat "/proc/$1/stat")
    # The name in parentheses may hold blanks: count behind it.
    # shellcheck disable=SC2086
    set -- ${fields##*) }
    echo $(((${12} + ${13}) * (1000000 / $(getconf CLK_TCK))))
}

# Resident memory in kB.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# load PID SECONDS CONNECTIONS SCRIPT URL: one round with wrk. Prints CPU microseconds a request, requests a second, and
# the 99th percentile in milliseconds. An answer that is no success ends the measurement: it would have been cheap.
load() {
    local before after result requests rate p99 bad
    before=$(cpu_of "$1")
    result=$(taskset -c "$LOAD_CORE" wrk --threads 1 --duration "$2s" --connections "$3" --timeout 10s --script "$4" "$5") ||
        fail "wrk failed: $result"
    after=$(cpu_of "$1")
    read -r requests rate p99 bad < <(sed -n 's/^measured //p' <<<"$result")
    [ "${requests:-0}" -gt 0 ] || fail "no request came through to $5"
    [ "$bad" -eq 0 ] || fail "$bad of $requests requests to $5 failed: see what the server answers before timing it"
    awk -v cpu=$((after - before)) -v n="$requests" -v rate="$rate" -v p99="$p99" \
        'BEGIN { printf "%.2f %.1f %.2f\n", cpu / n, rate, p99 }'
}

# median COLUMN FILE
median() {
    awk -v column="$1" '{ print $column }' "$2" | sort -g |
        awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f\n", a / b }'; }

# ratio COLUMN FILE FILE: the median of the ratios of each round, so that a machine whose speed drifts between rounds does
# not judge one server by a slow moment and the other by a quick one.
ratio() {
    paste "$2" "$3" | awk -v column="$1" '{ printf "%.4f\n", $column / $(column + NF / 2) }' >"$WORK/ratios"
    median 1 "$WORK/ratios" | awk '{ printf "%.3f\n", $1 }'
}

# figure NAME MEASURED REFERENCE VALUE RELATION TARGET: one line of the table. RELATION is <= or >=.
FIGURES=${FIGURES:-}
figure() {
    if [ -z "$FIGURES" ]; then
        FIGURES=$WORK/figures
        trap 'judged $?' EXIT
    fi
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$FIGURES"
}

# The end of a script that was run by itself.
judged() {
    local status=$1
    judge "$FIGURES" || status=1
    end
    exit "$status"
}

# judge FILE: prints the table; fails when a target is missed.
judge() {
    awk -F '\t' '
        BEGIN {
            row = "%-44s %-22s %-30s %9s  %-9s %s\n"
            printf row, "what", "measured", "against", "value", "target", ""
        }
        {
            met = $5 == "<=" ? $4 + 0 <= $6 + 0 : $4 + 0 >= $6 + 0
            if (!met) missed++
            printf row, $1, $2, $3, $4, $5 " " $6, met ? "pass" : "MISSED"
        }
        END { exit missed > 0 }' "$1"
}
