# Functions of tools/install-mysql and tools/install-mariadb, to be sourced: a server's programs and every library they need
# in a directory of their own, from the packages of the system's distribution.
#
# Whoever sources it sets `tool` (its own name), `name` (of the directory in `servers`) and `server` (of the program in the
# directory's bin), and defines by_hand MESSAGE, download_packages APT_CONF and write_wrappers TREE.

servers=${MANYREADS_SERVERS:-$HOME/.cache/manyreads/servers}
root=$servers/$name

say() { printf "$tool: %s\n" "$*"; }
fail() { printf "$tool: %s\n" "$@" >&2; exit 1; }

works() { [ -x "$1/bin/$server" ] && "$1/bin/$server" --version >/dev/null 2>&1; }

os_release() { (set +u; . /etc/os-release; eval "printf '%s' \"\$$1\""); }

# A private apt: the machine's settings (proxy, certificates, trusted keys), but no knowledge of what is installed, so that
# the whole tree of dependencies is fetched, libc included; and no hooks.
write_apt_settings() {
    local state=$1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    cat >"$state/apt.conf" <<SETTINGS
Dir::State "$state";
Dir::State::status "$state/status";
Dir::State::lists "$state/lists";
Dir::Cache "$state/cache";
Dir::Cache::archives "$state/cache/archives";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
SETTINGS
}

use_sources() {
    printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "/dev/null";\n' "$2" >>"$1/apt.conf"
}

distribution_mirror() {
    apt-get "$@" indextargets --format '$(ORIGIN) $(COMPONENT) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "main" && $3 !~ /-(security|backports|updates)$/ && $4 !~ /^(cdrom|file|copy):/ \
             { print $4; exit }'
}

debian_keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -r "$file" ]; then printf '%s' "$file"; return; fi
    done
    fail "Debian's signing keys were not found: apt-get install debian-archive-keyring"
}

# Debian: one source, the suite sid of the mirror that the machine uses. An image may come without package lists; then the
# machine's sources are read into the private state first.
use_debian_sid() {
    local state=$1 mirror keyring
    mirror=$(distribution_mirror)
    if [ -z "$mirror" ]; then
        apt-get -qq -c "$state/apt.conf" update
        mirror=$(distribution_mirror -c "$state/apt.conf")
    fi
    [ -n "$mirror" ] || by_hand "apt's sources name no Debian mirror"
    keyring=$(debian_keyring)
    printf 'deb [target=Packages signed-by=%s] %s sid main\n' "$keyring" "$mirror" >"$state/sources.list"
    use_sources "$state" "$state/sources.list"
}

newest_package() {
    local conf=$1 name=$2
    apt-cache -c "$conf" search --names-only "^$name(-[0-9.]+)?\$" | awk '{ print $1 }' | sort -V | tail -n 1
}

# Perl serves only scripts that are not used here, and is a third of the files.
unpack_packages() {
    local archives=$1 tree=$2 package
    mkdir -p "$tree"
    for package in "$archives"/*.deb; do
        case ${package##*/} in
            perl_*|perl-base_*|perl-modules-*|libperl5*) continue ;;
        esac
        dpkg-deb -x "$package" "$tree"
    done
}

# The programs run under the C library they came with, whatever the system has: their own loader is executed and told where
# the libraries are. exec keeps the process id; the paths follow the script, so the directory can be moved.
write_wrapper() {
    local tree=$1 name=$2 program=$3 options=$4 loader libraries
    # Where usr/ is not merged, part of the libraries is in lib/.
    loader=$(cd "$tree" && ls -d {lib,usr/lib}/*-linux-gnu*/ld-linux*.so.* 2>/dev/null | head -n 1) || true
    libraries=$(cd "$tree" && ls -d {lib,usr/lib}/*-linux-gnu* 2>/dev/null) || true
    [ -n "$loader" ] && [ -n "$libraries" ] || fail "the unpacked packages have no dynamic loader"
    [ -x "$tree/$program" ] || fail "the unpacked packages have no $program"
    cat >"$tree/bin/$name" <<WRAPPER
#!/bin/sh
# Written by tools/$tool: runs $program with the libraries of this directory.
root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
# --defaults-file and its like count only as the first argument.
case "\${1:-}" in --no-defaults|--defaults-*|--print-defaults) first=\$1; shift ;; *) first= ;; esac
exec "\$root/$loader" --library-path "$(printf '%s\n' "$libraries" | sed 's|^|$root/|' | paste -sd: -)" \\
    "\$root/$program" \${first:+"\$first"}$options "\$@"
WRAPPER
    chmod 755 "$tree/bin/$name"
}

install_with_apt() {
    local program
    for program in apt-get dpkg-deb flock awk; do
        command -v "$program" >/dev/null || by_hand "$program was not found"
    done
    mkdir -p "$servers"
    servers=$(cd "$servers" && pwd -P)
    root=$servers/$name
    exec 9>"$servers/$name.lock"
    flock 9
    if works "$root"; then say "already in $root"; return; fi
    rm -rf "$servers/$name".part.*
    work=$(mktemp -d "$servers/$name.part.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    write_apt_settings "$work/apt"
    case " $(os_release ID) $(os_release ID_LIKE) " in
        *" ubuntu "*) ;;
        *" debian "*) use_debian_sid "$work/apt" ;;
        *) by_hand "this system's packages are not known here" ;;
    esac
    download_packages "$work/apt/apt.conf"
    say "unpacking"
    unpack_packages "$work/apt/cache/archives" "$work/root"
    write_wrappers "$work/root"
    works "$work/root" || fail "the unpacked server does not run:" "$("$work/root/bin/$server" --version 2>&1 || true)"
    rm -rf "$root"
    mv "$work/root" "$root"
    say "$("$root/bin/$server" --version | sed "s/.*Ver/$server/") is in $root"
}

