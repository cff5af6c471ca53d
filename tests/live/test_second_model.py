"""The second live model of `note.py` in the whole app. Feeds and streams contain no code for it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from app.live.service import Parley
from app.main import create_app
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.live import note as notes
from tests.live.convergence.replicas import add_notes
from tests.live.note import NOTE, Note, post_note
from tests.support.people import person, write
from tests.support.people_without_http import ARTICLE
from tests.support.serving import serving
from tests.support.sse import open_stream


async def test_a_note_is_live_like_a_comment(settings: Settings) -> None:
    await add_notes(settings.database_url)
    app = create_app(settings, (*LIVE_MODELS, NOTE))
    parley: Parley = app.state.parley
    async with serving(app) as site, site.client() as guest, person(site, "alice") as alice:
        user_id = UUID((await alice.get("/api/session")).json()["user"]["id"])
        async with open_stream(guest, "Article/1") as theirs, open_stream(alice, "Article/1") as hers:
            await theirs.until("heartbeat")
            await hers.until("heartbeat")
            note = await post_note(parley, ARTICLE, user_id, "read this first")
            assert (await theirs.until("global.note.create.success")).model["mine"] is False
            assert (await hers.until("global.note.create.success")).model["mine"] is True

            await write(alice, "a comment in the same topic")
            await theirs.until("global.comment.create.success")

            async with parley.writing(ARTICLE) as change:
                row = await change.get(Note, note.id)
                assert row
                row.hidden = True
                change.update(row)
            gone = await theirs.until("global.note.destroy.success")
            assert "text" not in gone.model
            assert (await hers.until("global.note.update.success")).model["hidden"] is True


def test_a_live_model_needs_less_than_forty_lines() -> None:
    lines = Path(notes.__file__).read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(("from", '"""'))]
    assert len(code) < 40
