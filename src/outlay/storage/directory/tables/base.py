"""What all directory tables share."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, MetaData, String
from sqlalchemy.orm import DeclarativeBase

from outlay.domain.ids import (
    ApiKeyId,
    GroupId,
    MemberId,
    OrganizationId,
    ProjectId,
    TokenId,
    UpstreamId,
)
from outlay.domain.money import Pusd


class Base(DeclarativeBase):
    """Base of the mapped tables; constraints have names, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s#%(column_0_name)s",
            "uq": "%(table_name)s#%(column_0_name)s#unique",
            "ck": "%(table_name)s#%(constraint_name)s#check",
            "fk": "%(table_name)s#%(column_0_name)s#%(referred_table_name)s",
            "pk": "%(table_name)s#primary",
        }
    )
    # Instants are microseconds since the epoch: too large for PostgreSQL's INTEGER.
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        Pusd: BigInteger,
        OrganizationId: String,
        MemberId: String,
        ProjectId: String,
        ApiKeyId: String,
        GroupId: String,
        TokenId: String,
        UpstreamId: String,
    }
