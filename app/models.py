"""The list of models. To register a new live model, add it here."""

from app.accounts import login_throttle  # noqa: F401  (a table that is not live)
from app.accounts.logins import LOGIN
from app.accounts.user import USER
from app.atom import atom  # noqa: F401  (a table that is not live, and an index)
from app.commentables.commentables import COMMENTABLE
from app.comments.comments import COMMENT
from app.likes.likes import LIKE
from app.mail import mail_queue  # noqa: F401  (a table that is not live)
from app.moderation.audit_log import DECISION
from app.moderation.reports import REPORT
from app.notifications import mutes  # noqa: F401  (a table that is not live)
from app.notifications.notifications import NOTIFICATION
from app.reply_mail import follows, last_mails, muted_conversations  # noqa: F401  (tables that are not live)

LIVE_MODELS = (COMMENT, COMMENTABLE, LIKE, NOTIFICATION, REPORT, DECISION, USER, LOGIN)
