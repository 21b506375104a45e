# Installs Debian packages that a script needs; sourced by scripts/test and scripts/demo.

# install_missing PROGRAM=PACKAGE...
# Installs the packages of those programs, or folders, that are not there. Nothing is asked, and no service is started.
install_missing() {
    local pair missing=()
    for pair in "$@"; do
        [ -d "${pair%%=*}" ] || PATH="$PATH:/usr/sbin" command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "Installing ${missing[*]}"
    command -v apt-get >/dev/null || {
        echo "error: this is no Debian machine; please install the equivalents of: ${missing[*]}" >&2
        return 1
    }
    without_starting_services apt_install "${missing[@]}"
}

apt_install() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=120) log
    log=$(mktemp)
    if ! { as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "$@"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm "$log"
        return 1
    fi
    rm "$log"
}

# Debian starts a server as soon as it is installed, unless this file forbids it, and again at each boot, unless it is
# disabled. These packages name their units like themselves, but for openssh-server.
without_starting_services() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    "$@"
    shift
    for package in "$@"; do
        package=${package/openssh-server/ssh}
        as_root systemctl disable --quiet "$package.service" "$package.socket" 2>/dev/null || true
    done
)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        # Without a terminal nobody could type a password.
        if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
    else
        echo "error: packages have to be installed, which takes root or sudo" >&2
        return 1
    fi
}
