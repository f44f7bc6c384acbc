#!/usr/bin/env python3
"""An example sync client for Holdfast, in Python's standard library alone.

    HOLDFAST_PASSWORD=... holdfast_sync.py http://127.0.0.1:8000 ~/Holdfast --user ada --device laptop

It shows everything a client needs: tell the server what the folder holds, follow the plan it answers with, and tell it
again until the plan is empty. docs/sync-protocol.md explains each step. What it promises for the folder:

  * a local file is replaced or removed only while it still holds what the plan says it holds (`replaces`);
  * a download appears under its name complete, checked against its hash and written to disk, or not at all;
  * what cannot be synced (symbolic links, sockets, names that are not UTF-8) is named and left alone, on both sides;
  * a conflict is reported and nothing is touched until `--resolve` says how to settle it;
  * a plan that would delete suspiciously much on the server is followed only with `--yes`.

Exit status: 0 both sides agree, 1 something waits for a person, 2 it could not be done.
"""
import argparse
import base64
import calendar
import fcntl
import getpass
import hashlib
import http.client
import json
import os
import stat
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

PART = ".holdfast-part-"  # begins the name of a download that is not complete yet
PIECE = 256 * 1024
UNNAMEABLE = ("reserved name", "the name is not UTF-8")  # no server could even be told of these
RESOLUTIONS = ("keep_local", "keep_server", "create_version", "keep_both")


class Refused(Exception):
    """An answer that is not 2xx: its status and what the problem document says."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('detail') or problem.get('title') or ''}".rstrip())
        self.status, self.problem = status, problem


class Skipped(Exception):
    """A step that must not be done now, because the file is no longer what the plan was made for."""


class Server:
    """One Holdfast server as one account and device, with a kept-alive connection for each thread."""

    def __init__(self, url, username, password):
        self.url, self.account = urlsplit(url), {"username": username, "password": password}
        self.local, self.headers = threading.local(), {}

    def log_in(self):
        answer = self.ask("POST", "/api/auth/login", self.account, anonymous=True)
        self.headers = {**self.headers, "Authorization": "Bearer " + answer["access_token"]}

    def register(self, device):
        """Make this device known; from now on each act says that it is this device's."""
        self.ask("POST", "/api/sync/register", {"device_id": device, "device_name": device})
        self.headers = {**self.headers, "Holdfast-Device": device}

    def ask(self, method, target, body=None, headers=None, anonymous=False):
        """A request with a JSON body, and the JSON of its answer."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        content = self.send(method, target, body and (lambda: json.dumps(body).encode()), headers, anonymous).read()
        return json.loads(content) if content else None

    def send(self, method, target, body=None, headers=None, anonymous=False):
        """One request; its answer with the body unread. `body` makes the body anew for each try: all that is asked for
        here may be repeated, so a connection that broke is simply opened again."""
        for last in (False, True):
            connection = self.connection()
            known = {} if anonymous else self.headers
            try:
                connection.request(method, target, body() if body else None, {**known, **(headers or {})})
                response = connection.getresponse()
            except Skipped:
                connection.close()
                raise
            except (OSError, http.client.HTTPException):
                connection.close()
                if last:
                    raise
                continue
            if response.status < 300:
                return response
            content = response.read()
            if response.status == 401 and not anonymous and not last:
                self.log_in()
                continue
            try:
                problem = json.loads(content)
            except ValueError:
                problem = {"title": response.reason}
            raise Refused(response.status, problem)

    def connection(self):
        if not hasattr(self.local, "connection"):
            kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
            self.local.connection = kind(self.url.netloc, timeout=120, blocksize=PIECE)
        return self.local.connection


class Folder:
    """The folder on this machine. Paths are the server's: they begin with "/" and part at "/"."""

    def __init__(self, root):
        self.root, self.skipped = root, {}  # skipped: path -> why it is left alone

    def local(self, path):
        """Where a path lies on disk. A parent that is a link, or a path that leaves the folder, is refused."""
        parts = path.strip("/").split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise Skipped("not a usable path")
        above = self.root
        for part in parts[:-1]:
            above = os.path.join(above, part)
            if os.path.islink(above):
                raise Skipped("beneath a symbolic link")
        return os.path.join(above, parts[-1])

    def left_alone(self, path):
        return any(path == skipped or path.startswith(skipped + "/") for skipped in self.skipped)

    def scan(self, pool):
        """Every folder and regular file: a list for the server, in which what is left alone is marked unreadable."""
        folders, files, self.skipped, todo = [], [], {}, [("", self.root)]
        while todo:
            prefix, place = todo.pop()
            try:
                entries = list(os.scandir(place))
            except OSError as error:
                if place == self.root:
                    raise
                self.skipped[prefix] = str(error)
                continue
            for entry in entries:
                path = f"{prefix}/{entry.name}"
                if entry.name.startswith(PART):
                    os.unlink(entry.path)
                elif entry.name.lower() == ".holdfast":
                    self.skipped[path] = UNNAMEABLE[0]
                elif any("\udc80" <= letter <= "\udcff" for letter in entry.name):
                    self.skipped[ascii(path)] = UNNAMEABLE[1]
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                    todo.append((path, entry.path))
                elif entry.is_file(follow_symlinks=False):
                    files.append(path)
                else:
                    self.skipped[path] = "symbolic link" if entry.is_symlink() else "not a regular file"
        listed = [entry for entry in pool.map(self.claim, files) if entry]
        listed += [{"path": path, "kind": "folder"} for path in folders if path not in self.skipped]
        sayable = [path for path, why in self.skipped.items() if why not in UNNAMEABLE]
        return listed + [{"path": path, "unreadable": True} for path in sayable]

    def claim(self, path):
        """A file's line in the list; None if it is gone again."""
        try:
            info = os.lstat(self.local(path))
            modified_at = written(info.st_mtime_ns)
            return {"path": path, "hash": self.hash(path), "size": info.st_size, "modified_at": modified_at}
        except FileNotFoundError:
            return None
        except OSError as error:
            self.skipped[path] = str(error)
            return None

    def hash(self, path):
        digest = hashlib.sha256()
        with open(os.open(self.local(path), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def value(self, path):
        """What is there now: a hash, "folder", None for nothing, or "other"."""
        try:
            mode = os.lstat(self.local(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self.hash(path) if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"

    def check(self, path, replaces):
        """Stop unless the path holds what the plan says it holds."""
        if self.left_alone(path) or self.value(path) != replaces:
            raise Skipped("changed here meanwhile")

    def clear(self, path, replaces):
        """Remove what the plan says is there; a folder only while it is empty."""
        self.check(path, replaces)
        if replaces == "folder":
            try:
                os.rmdir(self.local(path))
            except OSError:
                raise Skipped("the folder still holds something") from None
        elif replaces is not None:
            os.unlink(self.local(path))

    def pieces(self, path, size):
        """The first `size` bytes of a file; one that has become shorter stops the request."""
        with open(os.open(self.local(path), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            while size:
                piece = file.read(min(PIECE, size))
                if not piece:
                    raise Skipped("changed here while it was read")
                size -= len(piece)
                yield piece


def written(mtime_ns):
    """A time in nanoseconds as RFC 3339, nothing rounded."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(mtime_ns // 10**9)) + f".{mtime_ns % 10**9:09d}Z"


def read_time(text):
    """The reverse: RFC 3339 in UTC to nanoseconds."""
    day, _, fraction = text.removesuffix("Z").removesuffix("+00:00").partition(".")
    return calendar.timegm(time.strptime(day, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int((fraction + "0" * 9)[:9])


class Sync:
    """Brings one folder and one drive together."""

    def __init__(self, server, folder, drive, pool):
        self.server, self.folder, self.drive, self.pool = server, folder, drive, pool
        self.notes = []  # (path, what happened), of this round

    def files(self, path):
        return f"/api/drives/{quote(self.drive, safe='')}/files{quote(path)}"

    def each(self, step, entries, parallel=True):
        """Do a step for each entry; a step that is refused or no longer fits is noted, and the next plan settles it."""
        def attempt(entry):
            try:
                step(entry)
            except (Skipped, Refused, OSError, http.client.HTTPException) as error:
                self.notes.append((entry.get("path") or entry.get("from"), str(error)))
        list(self.pool.map(attempt, entries) if parallel else map(attempt, entries))

    def follow(self, plan):
        """One plan, in the order that matters: moves, deletes, downloads, uploads. Folders come before what is in them
        when made, and after it when removed."""
        self.each(self.move_here, plan.get("to_move", []), parallel=False)
        self.each(self.move_there, plan.get("moved_by_client", []), parallel=False)
        for step, key in ((self.delete_here, "to_delete"), (self.delete_there, "deleted_by_client")):
            files, folders = by_kind(plan.get(key, []))
            self.each(step, files)
            self.each(step, reversed(folders), parallel=False)
        for step, key in ((self.download, "to_download"), (self.upload, "to_upload")):
            files, folders = by_kind(plan.get(key, []))
            self.each(step, folders, parallel=False)
            self.each(step, files)

    def move_here(self, entry):
        source, target = entry["from"], entry["to"]
        self.folder.check(source, entry.get("hash") or "folder")
        self.folder.check(target, None)
        os.makedirs(os.path.dirname(self.folder.local(target)), exist_ok=True)
        os.rename(self.folder.local(source), self.folder.local(target))

    def move_there(self, entry):
        body = {"from": entry["from"], "to": entry["to"], "expect": entry.get("expect") or entry.get("hash")}
        self.server.ask("POST", f"/api/drives/{quote(self.drive, safe='')}/moves", body)

    def delete_here(self, entry):
        self.folder.clear(entry["path"], "folder" if entry.get("kind") == "folder" else entry["replaces"])

    def delete_there(self, entry):
        if self.folder.left_alone(entry["path"]):
            raise Skipped("left alone here")
        headers = {"If-Match": f'"{entry["expect"]}"'} if entry.get("expect") else {}
        try:
            self.server.ask("DELETE", self.files(entry["path"]), headers=headers)
        except Refused as refused:
            if refused.status != 404:
                raise

    def download(self, entry):
        path, replaces = entry["path"], entry.get("replaces")
        place, here = self.folder.local(path), self.folder.value(entry["path"])
        if entry.get("kind") == "folder":
            if here != "folder":
                self.folder.clear(path, replaces)
                os.makedirs(place)
            return
        if here == "folder" and not replaces:
            replaces = here  # gives way if it is empty
        self.folder.check(path, replaces)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=PART, dir=os.path.dirname(place))
        try:
            digest = hashlib.sha256()
            with open(handle, "wb") as file:
                response = self.server.send("GET", self.files(path), headers={"If-Match": f'"{entry["hash"]}"'})
                while piece := response.read(PIECE):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != entry["hash"]:
                raise Skipped("changed on the server meanwhile")
            mtime = read_time(entry["modified_at"])
            os.utime(part, ns=(mtime, mtime))
            replaced = replaces not in (None, "folder")
            os.chmod(part, stat.S_IMODE(os.lstat(place).st_mode) if replaced else 0o666 & ~UMASK)
            if replaced:
                self.folder.check(path, replaces)
            else:
                self.folder.clear(path, replaces)
            os.replace(part, place)
        finally:
            if os.path.lexists(part):
                os.unlink(part)

    def upload(self, entry):
        path = entry["path"]
        if entry.get("kind") == "folder":
            self.server.ask("POST", f"/api/drives/{quote(self.drive, safe='')}/folders", {"path": path})
            return
        self.folder.check(path, entry["hash"])
        condition = {"If-Match": f'"{entry["expect"]}"'} if entry.get("expect") else {"If-None-Match": "*"}
        self.put(self.files(path) + "?parents=true", path, entry["hash"], condition)

    def put(self, target, path, digest, headers):
        """Send a file; the server checks length and hash, so one that changes meanwhile is refused whole."""
        info = os.lstat(self.folder.local(path))
        seconds, rest = divmod(info.st_mtime_ns, 10**9)
        headers = {"Content-Length": str(info.st_size), "X-OC-Mtime": f"{seconds}.{rest:09d}",
                   "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:", **headers}
        self.server.send("PUT", target, lambda: self.folder.pieces(path, info.st_size), headers).read()

    def resolve(self, conflict, resolution):
        """Settle one conflict; the server asks for this device's content if it needs it and does not have it."""
        target = f"/api/conflicts/{conflict['id']}"
        body = {"resolution": resolution, "server_hash": conflict.get("server_hash")}
        answer = self.server.ask("POST", target + "/resolve", body)
        if answer.get("needs") == "upload":
            self.put(target + "/candidate", conflict["path"], conflict["client_hash"], {})
            answer = self.server.ask("POST", target + "/resolve", body)
        if not answer.get("resolved"):
            raise Skipped(f"not resolved: {answer}")


def by_kind(entries):
    """The files and the folders of a part of a plan, in the order of their paths."""
    entries = sorted(entries, key=lambda entry: entry["path"])
    return [e for e in entries if e.get("kind") != "folder"], [e for e in entries if e.get("kind") == "folder"]


STEPS = {"to_move": "moved here", "moved_by_client": "moved there", "to_delete": "deleted here",
         "deleted_by_client": "deleted there", "to_download": "downloaded", "to_upload": "uploaded"}


def waiting(plan, folder):
    """What of a plan no program can settle: (path, why)."""
    for entry in plan.get("unsyncable", []):
        if entry["path"] not in folder.skipped:
            yield entry["path"], f"left alone by the server: {entry.get('reason')}"
    for entry in plan.get("deleted_elsewhere", []):
        yield entry["path"], "deleted on the server, an older copy is here: delete it, or change it to bring it back"
    for entry in plan.get("conflicts", []):
        yield entry["path"], "conflict: changed here and on the server, settle it with --resolve"
    if withheld := plan.get("needs_confirmation"):
        for path in withheld["deletes"]:
            yield path, "missing here, still on the server: --yes deletes it there"
        for path in withheld.get("reverts", []):
            yield path, "an earlier content is here: --yes brings it back on the server, too"


def synchronise(sync, options):
    """Tell and follow until a plan leaves nothing to do. True when both sides agree."""
    token, confirm = stored_token(options.state), None
    for _ in range(options.rounds):
        body = {"device_id": options.device, "drive": options.drive, "file_list": sync.folder.scan(sync.pool),
                "complete": True, "folders": True, "accept": ["move"]}
        body.update({"change_token": token} if token else {}, **({"confirm": confirm} if confirm else {}))
        plan = sync.server.ask("POST", "/api/sync/changes", body)
        token = store_token(options.state, plan["change_token"])
        steps = [f"{len(plan[key])} {word}" for key, word in STEPS.items() if plan.get(key)]
        print("plan:", ", ".join(steps) or "nothing to do", flush=True)
        conflicts = plan.get("conflicts", []) if options.resolve else []
        confirm = plan["needs_confirmation"]["token"] if options.yes and plan.get("needs_confirmation") else None
        sync.notes = []
        if not steps and not conflicts and not confirm:
            break
        sync.follow(plan)
        sync.each(lambda conflict: sync.resolve(conflict, options.resolve), conflicts, parallel=False)
    for path, why in sorted(sync.folder.skipped.items()):
        print(f"left alone: {path}: {why}")
    waits = [*waiting(plan, sync.folder), *sync.notes]
    for path, why in waits:
        print(f"waits: {path}: {why}")
    if steps and not waits:
        print(f"not settled after {options.rounds} plans")
    return not waits and not steps


def stored_token(place):
    """The last answer's change token, if one was kept. With it an old content counts as an undo, not as stale."""
    if place and os.path.exists(place):
        with open(place, encoding="ascii") as file:
            return file.read().strip() or None
    return None


def store_token(place, token):
    """Keep the token of an answer, whole or not at all."""
    if place:
        os.makedirs(os.path.dirname(os.path.abspath(place)), mode=0o700, exist_ok=True)
        with open(place + ".new", "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.replace(place + ".new", place)
    return token


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", help="for example http://127.0.0.1:8000")
    parser.add_argument("folder")
    parser.add_argument("--user", required=True, help="the password is read from HOLDFAST_PASSWORD, else asked for")
    parser.add_argument("--device", required=True, help="this device's id, chosen once and kept")
    parser.add_argument("--drive", default="home")
    parser.add_argument("--state", help="where the change token is kept (default: in ~/.local/state/holdfast-sync)")
    parser.add_argument("--stateless", action="store_true", help="keep nothing between runs")
    parser.add_argument("--resolve", choices=RESOLUTIONS, help="settle every conflict this way")
    parser.add_argument("--yes", action="store_true", help="confirm deletes that the server withheld")
    parser.add_argument("--connections", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=6, help="plans to follow before giving up")
    options = parser.parse_args()
    options.folder = os.path.realpath(options.folder)
    if options.stateless:
        options.state = None
    elif not options.state:
        who = json.dumps([options.server, options.user, options.device, options.drive, options.folder])
        name = hashlib.sha256(who.encode()).hexdigest()[:16]
        options.state = os.path.expanduser("~/.local/state/holdfast-sync/" + name)
    if not os.path.isdir(options.folder):
        parser.error(f"{options.folder} is no folder")
    if options.state and os.path.realpath(options.state).startswith(options.folder + os.sep):
        parser.error("the state file must lie outside the folder")
    if os.path.exists(os.path.join(options.folder, ".holdfast", "drive.json")):
        parser.error("this folder is a drive of a Holdfast server itself")
    return options


def main():
    options = arguments()
    lock = os.open(options.folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError("another run works on this folder") from None
    password = os.environ.get("HOLDFAST_PASSWORD") or getpass.getpass("password: ")
    server = Server(options.server, options.user, password)
    server.log_in()
    server.register(options.device)
    with ThreadPoolExecutor(options.connections) as pool:
        agreed = synchronise(Sync(server, Folder(options.folder), options.drive, pool), options)
    return 0 if agreed else 1


UMASK = os.umask(0o077)
os.umask(UMASK)

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Refused, OSError, http.client.HTTPException) as error:
        print(f"holdfast_sync: {error}", file=sys.stderr)
        sys.exit(2)
