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
