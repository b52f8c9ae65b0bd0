"""Ids as types of their own for the type checker; at run time they are text.

They are created where ids enter: when directory rows are read, when input is parsed, and in
`new_id`.
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
