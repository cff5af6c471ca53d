"""The models: what people have and do here. A new one that is live is added to this list, and that is all."""

from app.models import lock, mail, mute  # noqa: F401  (tables that are not live)
from app.models.comment import COMMENT
from app.models.commentable import COMMENTABLE
from app.models.decision import DECISION
from app.models.like import LIKE
from app.models.login import LOGIN
from app.models.notification import NOTIFICATION
from app.models.report import REPORT
from app.models.user import USER

LIVE_MODELS = (COMMENT, COMMENTABLE, LIKE, NOTIFICATION, REPORT, DECISION, USER, LOGIN)
