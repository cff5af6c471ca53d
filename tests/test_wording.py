"""Wording: phrases that readers found odd must not come back."""

from __future__ import annotations

from app.settings import PACKAGE

SOURCES = {".py", ".js", ".html", ".css", ".txt"}

# The phrases as they were in pages, messages and mails.
RETIRED = """
tells them
What you write here is kept
Sign in and post
Turn the order round
where it began
The first word is yours
Go to the newest
you can read along
This conversation is locked
does not store what is unsent
This comment is no longer here
that you were sent to
Not posted.
Not saved.
Not deleted.
Not dismissed.
Not signed out.
Waiting until you are signed in
has changed meanwhile
look it over before you save
Use both
Back to mine
Save mine instead
deleted meanwhile
A text that was not saved
Too much is waiting to be sent
Your changes are kept
changes wait
Back, ${
was not taken
Still sending
goes on`
comments are shown
notifications are shown
decisions are shown
it is told here
who has replied to you
written your @name
Name that others see
Been here before
Tell us your address
Look at your mail
a mail is on its way
Look among the spam
Back to signing in
Unlock by mail
an account is locked for a while
The address or the password
passwords that are tried first.
made of your name or your address
This is not your password
letters and digits, with spaces
this name is reserved
There is an account with
Write something
Give text
Half of a character
There is nothing here
This cannot be done here
on our side
The database does not answer
cannot be reached just now
To the front page
One press, and
need the whole link
no longer good
Ask for a new link
To your account
Your password is changed
it has kept somebody out
It is not confirmed yet
that we have sent there
The time before this
as by “deleted account”
Nothing of this can be undone
this login was ended
after a long time.
What is wrong with what
What moderators should know
Insults, threats
Against the law
About this comment
Give a role
Owners appoint, besides
It counts at once
can write here then
The role is given
for the audit trail
Nothing was decided
Nothing is reported
Let it stand
let stand a comment
Who runs this service"
gave a title to
"does" : "do"
Things worth talking about
that arrive while you read
Read and write comments
somebody, we hope you
nobody can sign in.
and once.
your password has held
for having been here
"You have an account"
Your address is being changed
""".strip().splitlines()


def test_no_text_contains_a_retired_phrase() -> None:
    paths = [path for path in PACKAGE.rglob("*") if path.suffix in SOURCES and "build" not in path.parts]
    texts = {path.relative_to(PACKAGE): path.read_text() for path in paths}
    assert [f"{path}: {phrase}" for path, text in texts.items() for phrase in RETIRED if phrase in text] == []
