"""The key pairs of EC2 and the private keys of this computer."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import Event, InventoryChanged, Severity
from cloudtui.core.keys import KeyListing
from cloudtui.files.paths import expanded, short
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.key_pair import (
    KeyFormat,
    KeyRow,
    KeyType,
    LocalKey,
    delete_words,
    sha256_fingerprint,
)
from cloudtui.model.place import Place
from cloudtui.model.words import plural, stamp
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.prompts import DialogPrompts
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.keys_table import KeysTable, file_key

NAMES_SHOWN = 12
NEEDS_FILE = frozenset({"keys.passphrase", "keys.convert"})


class KeysScreen(ListArea):
    """A table over what is known of the row under the cursor."""

    WHERE = Where.KEYS
    BINDINGS = bindings(Where.KEYS)
    AUTO_FOCUS = "KeysTable"
    CSS = (
        "KeysScreen #about { height: auto; max-height: 9; padding: 0 1; color: $foreground-muted; }"
    )

    def __init__(self) -> None:
        super().__init__()
        self._listing: KeyListing | None = None
        self._places: frozenset[Place] = frozenset()
        self._made = ""
        """The key of a pair that was just made: the cursor goes there when it is listed."""

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as lab, ed25519, .pem, eu-west-1, not here")
        yield Static(id="trouble", markup=False)
        yield KeysTable()
        yield Face(id="face")
        yield Static(id="about", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.paint()
        self._load()

    @property
    def table(self) -> KeysTable:
        return self.query_one(KeysTable)

    @property
    def row(self) -> KeyRow | None:
        """The key pair under the cursor."""
        rows = self._listing.rows if self._listing else ()
        return next((row for row in rows if row.pair.key == self.table.key), None)

    @property
    def file(self) -> LocalKey | None:
        """The private key under the cursor, with a key pair or without."""
        if row := self.row:
            return row.files[0] if row.files else None
        loose = self._listing.unmatched if self._listing else ()
        return next((key for key in loose if file_key(key) == self.table.key), None)

    @property
    def instance(self) -> Instance | None:
        """The first machine of the key pair under the cursor."""
        return self.row.machines[0] if self.row and self.row.machines else None

    def why_not(self, action: Action) -> str:
        if not action.id.startswith("keys."):
            return super().why_not(action)
        if action.rule and self.workbench.read_only:
            return self.workbench.why_not(action.rule, None)
        if action.id == "keys.delete" and self.row is None:
            return "No key pair is selected: private keys are yours to delete."
        if action.id in NEEDS_FILE and self.file is None:
            return "Its private key is not on this computer."
        if action.id == "keys.fix" and not self._open_keys:
            return "No private key is open to others."
        if action.id == "keys.copy" and self.row is None and self.file is None:
            return "Nothing is selected."
        return ""

    @property
    def _open_keys(self) -> tuple[LocalKey, ...]:
        files = self._listing.files if self._listing else ()
        return tuple(key for key in files if key.format and key.open_to_others)

    # Showing

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, InventoryChanged) and self._listing:
            if frozenset(event.state.listed) - self._places:
                self._load()
            else:
                self._listing = self._listing.with_machines(event.state.instances)
                self.paint()

    def refresh_now(self) -> None:
        self.workbench.inventory.refresh()
        self._load()

    @work(exclusive=True, group="keys")
    async def _load(self) -> None:
        self._places = frozenset(self.workbench.inventory.state.listed)
        self._listing = await self.workbench.keys.list()
        if not self.query(KeysTable):
            return  # the console is being left
        self.paint()
        if self._made in self.table.keys_shown:
            self.table.select(self._made)
            self._made = ""

    def paint(self) -> None:
        if not self.is_mounted:
            return
        listing, face = self._listing or KeyListing(), self.query_one(Face)
        self.table.show_keys(listing, self.query_text)
        rows = bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        if rows and self.focused is None:
            self.table.focus()
        elif not rows:
            self._paint_face(face)
        self._paint_trouble(listing)
        self._paint_about()
        self.refresh_footer()

    def _paint_face(self, face: Face) -> None:
        listing = self._listing
        if listing is None:
            face.work("Listing the key pairs …")
        elif listing.rows or listing.unmatched:
            face.say("Nothing matches the filter.", "", [("Esc", "clear the filter")])
        elif listing.errors:
            face.fail(listing.errors[0][1], [("Ctrl-r", "try again"), ("Esc", "go back")])
        else:
            face.say(
                "No key pair in the regions in view, and no private key here.",
                "A key pair lets you log in to a machine that is launched with it.",
                [("n", "let EC2 make one"), ("i", "give EC2 a public key that you have")],
            )

    def _paint_trouble(self, listing: KeyListing) -> None:
        line, parts = self.query_one("#trouble", Static), list[str]()
        if listing.errors:
            more = f" (and {len(listing.errors) - 1} more)" if len(listing.errors) > 1 else ""
            parts.append(f"× {listing.errors[0][1].title}{more}")
        if listing.agent_error:
            parts.append(f"{listing.agent_error.title} {listing.agent_error.detail}")
        if self._open_keys:
            them = "it" if len(self._open_keys) == 1 else "them"
            count = plural(len(self._open_keys), "private key")
            parts.append(f"! Others may read {count}, so ssh refuses {them}: f closes {them}.")
        line.display = bool(parts)
        line.update("\n".join(parts))

    def _paint_about(self) -> None:
        about = self.query_one("#about", Static)
        lines = [*(_about_pair(self.row) if self.row else ()),
                 *(_about_file(self.file) if self.file else ())]  # fmt: skip
        about.display = bool(lines)
        about.update(Content("\n".join(lines)))

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_about()
        self.refresh_footer()

    # Doing

    @work(group="key")
    async def create(self) -> None:
        from cloudtui.ui.screens.dialogs import Answers, Choose

        place = await self._choose_place("A new key pair where?")
        if place is None:
            return
        note = (
            f"In {place.region}. EC2 makes it and does not keep the private key: it is saved as "
            "NAME.pem, readable by you alone, never over another file."
        )
        answers = await self.app.push_screen_wait(Answers("A new key pair", [("name", True)], note))
        if not answers:
            return
        kinds = {
            KeyType.ED25519.value: "ed25519: short and safe; not for Windows machines",
            KeyType.RSA.value: "rsa: 2048 bits; for Windows machines and old servers",
        }
        kind = await self.app.push_screen_wait(Choose("Which type?", kinds))
        if kind is None:
            return
        try:
            made = await self.workbench.keys.create(answers[0].strip(), place, KeyType(kind))
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            self._made = made.pair.key
            self.cloudtui.say(
                f"Created {made.pair.name}. Its private key is in {short(made.path)}, and nowhere "
                "else."
            )
        self._load()

    @work(group="key")
    async def import_key(self) -> None:
        from cloudtui.ui.screens.dialogs import Answers

        loose = self.file if self.row is None else None
        fields = [] if loose else [("file: a public or a private key", True)]
        note = "EC2 gets the public half only."
        if loose:
            note = f"Of {short(loose.path)}; {note}"
        title = "Import a public key"
        fields.append(("name of the key pair (empty: the file's)", True))
        answers = await self.app.push_screen_wait(Answers(title, fields, note))
        if answers is None:
            return
        path = loose.path if loose else expanded(answers[0].strip() or ".")
        place = await self._choose_place(f"Import {path.name} where?")
        if place is None:
            return
        try:
            public_key = await self.workbench.keys.files.public_key(path)
            pair = await self.workbench.keys.put(
                answers[-1].strip() or path.stem, place, public_key
            )
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            self._made = pair.key
            self.cloudtui.say(f"Imported {short(path)} as {pair.label} in {pair.region}")
        self._load()

    @work(group="key")
    async def delete(self) -> None:
        from cloudtui.ui.screens.dialogs import Ask

        row = self.row
        if row is None:
            return
        pair = row.pair
        title = f"Delete the key pair {pair.label} in {pair.region}"
        body = "\n\n".join(delete_words(row, short))
        if not await self.app.push_screen_wait(Ask(title, body, "Delete", "y")):
            return
        try:
            await self.workbench.keys.delete(pair)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            self.cloudtui.say(f"Deleted the key pair {pair.label}")
        self._load()

    @work(group="key")
    async def fix(self) -> None:
        from cloudtui.ui.screens.dialogs import Ask

        found = self._open_keys
        body = "\n".join(f"{key.mode:04o}  {short(key.path)}" for key in found)
        title = f"Give {plural(len(found), 'file')} the mode 0400"
        if not await self.app.push_screen_wait(Ask(title, body, "Close", "y")):
            return
        done = 0
        for key in found:
            try:
                await self.workbench.keys.files.fix(key.path)
                done += 1
            except CloudtuiError as error:
                self.cloudtui.fail(error)
        if done:
            self.cloudtui.say(f"Only you can read {plural(done, 'private key')} now")
        self._load()

    @work(group="key")
    async def change_passphrase(self) -> None:
        from cloudtui.ui.screens.dialogs import Answers

        key = self.file
        if key is None:
            return
        wrong = ""

        async def new() -> str | None:
            nonlocal wrong
            while True:
                fields = [("new passphrase (empty: none)", False), ("the same again", False)]
                note = f"{wrong}The file becomes OpenSSH's format."
                title = f"Passphrase of {short(key.path)}"
                given = await self.app.push_screen_wait(Answers(title, fields, note))
                if given is None or given[0] == given[1]:
                    return given[0] if given else None
                wrong = "The two were not the same. "

        prompts = DialogPrompts(self.cloudtui)
        try:
            changed = await self.workbench.keys.files.change_passphrase(
                key.path, prompts.passphrase, new
            )
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        if changed:
            now = await self.workbench.keys.files.look(key.path)
            has = "is under its new passphrase" if now.encrypted else "has no passphrase now"
            self.cloudtui.say(f"{short(key.path)} {has}")
        self._load()

    @work(group="key")
    async def convert(self) -> None:
        from cloudtui.ui.screens.dialogs import Choose

        key = self.file
        if key is None:
            return
        if key.format is KeyFormat.PUTTY or key.problem:
            wanted: KeyFormat = KeyFormat.OPENSSH
        else:
            formats = {
                KeyFormat.PUTTY.name: "PuTTY's .ppk, by puttygen",
                KeyFormat.OPENSSH.name: "OpenSSH's own",
            }
            chosen = await self.app.push_screen_wait(
                Choose(f"Write {short(key.path)} anew as", formats)
            )
            if chosen is None:
                return
            wanted = KeyFormat[chosen]
        prompts = DialogPrompts(self.cloudtui)
        try:
            made = await self.workbench.keys.files.convert(
                key.path, wanted, None, prompts.passphrase
            )
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            self.cloudtui.say(f"Wrote {short(made)}; {short(key.path)} is as it was")
        self._load()

    @work(group="key")
    async def copy(self) -> None:
        from cloudtui.ui.screens.dialogs import Choose

        row, key = self.row, self.file
        public = (row.pair.public_key if row else "") or (key.public_key if key else "")
        options = {
            "public key": public,
            "private key's path": str(key.path) if key else "",
            "fingerprint": row.pair.fingerprint if row else sha256_fingerprint(public),
            "name": row.pair.name if row else "",
        }
        there = {
            what: f"{what:<18}  {text[:36]}{'…' if len(text) > 36 else ''}"
            for what, text in options.items()
            if text
        }
        chosen = await self.app.push_screen_wait(Choose("Copy the", there))
        if chosen:
            self.app.copy_to_clipboard(options[chosen])
            self.cloudtui.say(f"Copied the {chosen}", Severity.INFORMATION)

    async def _choose_place(self, title: str) -> Place | None:
        """One of those in view, asked for when there are several."""
        from cloudtui.ui.screens.dialogs import Choose

        places = {f"{p.profile}/{p.region}": p for p in self.workbench.inventory.state.listed}
        if not places:
            self.cloudtui.say("No region was listed yet.", Severity.WARNING)
            return None
        if len(places) == 1:
            return next(iter(places.values()))
        several = len({place.profile for place in places.values()}) > 1
        options = {
            key: f"{place.region}  {place.profile if several else ''}".rstrip()
            for key, place in places.items()
        }
        chosen = await self.app.push_screen_wait(Choose(title, options))
        return places.get(chosen or "")


def _about_pair(row: KeyRow) -> list[str]:
    pair = row.pair
    lines = [f"{pair.label}, {pair.region}, created {stamp(pair.created)}"]
    if row.machines:
        names = ", ".join(m.spoken for m in row.machines[:NAMES_SHOWN])
        more = f" and {len(row.machines) - NAMES_SHOWN} more"
        lines.append(f"used by {names}{more if len(row.machines) > NAMES_SHOWN else ''}")
    if not row.files:
        lines.append(
            "The ssh agent holds its private key."
            if row.agent
            else "Its private key is neither in the usual places nor in the ssh agent. A machine "
            "launched with it lets you in with E all the same, when EC2 Instance Connect can."
        )
    elif len(row.files) > 1:
        lines.append(f"copies: {', '.join(short(key.path) for key in row.files[1:])}")
    return lines


def _about_file(key: LocalKey) -> list[str]:
    kind = " ".join(
        filter(None, (key.algorithm, f"{key.bits} bits" if key.bits else "", key.comment))
    )
    form = key.format.value if key.format else "no private key"
    lock = ", under a passphrase" if key.encrypted else ", without a passphrase" if kind else ""
    lines = [f"{short(key.path)}  mode {key.mode:04o}, {form}{lock}  {kind}"]
    if key.problem:
        lines += [f"! {key.problem}", f"  {key.cure}" if key.cure else ""]
    elif key.open_to_others:
        lines.append("! Others may read it, so ssh refuses it: f closes it.")
    return [line for line in lines if line]
