"""All tables: import this to have them known to the database."""

from __future__ import annotations

from pzcenter.server.storage.accounts import Group, Identity, Invitation, Membership, Token, User, WebSession
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import Base
from pzcenter.server.storage.cooperative import Challenge, Submission
from pzcenter.server.storage.help_desk import Ticket, TicketMessage
from pzcenter.server.storage.notes import Note
from pzcenter.server.storage.processes import Pipeline, Process, ProcessInput
from pzcenter.server.storage.products import (
    Blob,
    Comment,
    FilePart,
    Product,
    ProductColumn,
    ProductFile,
    ProductGroup,
    ProductLink,
    ProductTag,
    ProductType,
    ProductUser,
)
from pzcenter.server.storage.releases import Release, ReleaseRight
from pzcenter.server.storage.search_words import ProductWord
from pzcenter.server.storage.sign_ins import SignInAttempt
from pzcenter.server.storage.uploads import Upload

__all__ = [
    "AuditEvent", "Base", "Blob", "Challenge", "Comment", "FilePart", "Group", "Identity", "Invitation", "Membership",
    "Note", "Pipeline", "Process", "ProcessInput", "Product", "ProductColumn", "ProductFile", "ProductGroup",
    "ProductLink", "ProductTag", "ProductType", "ProductUser", "ProductWord", "Release", "ReleaseRight",
    "SignInAttempt", "Submission", "Ticket", "TicketMessage", "Token", "Upload", "User", "WebSession",
]  # fmt: skip
