# Servers that this Debian does not have, from the packages of other releases; sourced by scripts/test. Nothing is
# installed: the packages are unpacked, with all that they need, into a folder that is kept for the next run.

# provide_server FOLDER PROGRAM RELEASE [ARCHIVE]: makes FOLDER/PROGRAM, from RELEASE's package of that name.
provide_server() {
    local folder=$1 program=$2 release=$3 archive=${4:-http://deb.debian.org/debian} apt package loader libraries
    [ ! -x "$folder/$program" ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder"/{root,apt/lists/partial,apt/archives/partial}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $release main" \
        >"$folder/apt/sources.list"
    : >"$folder/apt/status"
    apt=(apt-get -qq -y -o "Dir::State::lists=$folder/apt/lists" -o "Dir::State::status=$folder/apt/status"
        -o "Dir::Cache=$folder/apt" -o "Dir::Etc::sourcelist=$folder/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Debug::NoLocking=true -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false)
    "${apt[@]}" update
    "${apt[@]}" install --download-only --no-install-recommends "$program"
    for package in "$folder"/apt/archives/*.deb; do
        dpkg-deb --extract "$package" "$folder/root"
    done
    rm -r "$folder/apt"
    # It is run with the C library that it was built for. Its loader is a link that leads out of the folder, or not.
    loader=$(find "$folder/root" -name 'ld-linux-*.so.*' -path '*-linux-gnu/*' | head -1)
    libraries=$(dirname "$loader"):$(echo "$folder"/root/usr/lib/*-linux-gnu):$(echo "$folder"/root/lib/*-linux-gnu)
    cat >"$folder/$program" <<WRAPPER
#!/bin/sh
exec "$loader" --library-path "$libraries" "$folder/root/usr/bin/$program" "\$@"
WRAPPER
    chmod 755 "$folder/$program"
    "$folder/$program" --version
}
