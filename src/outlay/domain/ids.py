"""Ids of what an organization has: text at run time, types of their own for the checker.

They are created where ids enter: in rows of the directory, in what is parsed, in `new_id`.
"""

from typing import NewType

OrganizationId = NewType("OrganizationId", str)
MemberId = NewType("MemberId", str)
ProjectId = NewType("ProjectId", str)
ApiKeyId = NewType("ApiKeyId", str)
GroupId = NewType("GroupId", str)
TokenId = NewType("TokenId", str)
UpstreamId = NewType("UpstreamId", str)
EventId = NewType("EventId", str)
"""The id of a reported request, or of a row that amends it."""
