"""SQLAlchemy as applications use it, over several drivers."""

import asyncio
import datetime
import decimal
import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    URL,
    ForeignKey,
    LargeBinary,
    Numeric,
    String,
    create_engine,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload
from sqlalchemy.types import Enum

from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, UNICODE, Endpoint, Endpoints, Found, compared

SYNC = ["mysqldb", "pymysql", "mysqlconnector", "mariadbconnector"]
ASYNC = ["aiomysql", "asyncmy"]


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    price: Mapped[decimal.Decimal | None] = mapped_column(Numeric(10, 2))
    published: Mapped[datetime.datetime | None]
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    cover: Mapped[bytes | None] = mapped_column(LargeBinary(MEBIBYTE))
    author: Mapped[Author] = relationship(back_populates="books")


def url(driver: str, to: Endpoint) -> URL:
    return URL.create(f"mysql+{driver}", to.user, to.password, to.host, to.port, SCHEMA)


@contextmanager
def engine(driver: str, to: Endpoint, **options: Any) -> Iterator[Engine]:
    made = create_engine(url(driver, to), **options)
    try:
        yield made
    finally:
        made.dispose()


def error_of(session: Session, statement: Any) -> object:
    with pytest.raises(DBAPIError) as caught:
        session.execute(statement)
    session.rollback()
    return (type(caught.value).__name__, str(caught.value.orig))


def written(session: Session, cover: bytes | None = bytes(range(256)) * 256) -> None:
    books = [
        Book(price=decimal.Decimal("12.50"), published=datetime.datetime(2024, 2, 29, 12), colour=Colour.GREEN),
        Book(facts={"tags": ["a", None], "ü": 1}, cover=cover),
    ]
    session.add_all([Author(name=UNICODE, books=books), *(Author(name=f"author {number}") for number in range(30))])
    session.commit()


def read_back(session: Session) -> Found:
    author = session.scalars(select(Author).where(Author.name == UNICODE)).one()
    eager = select(Author).options(selectinload(Author.books)).order_by(Author.id).limit(3)
    joined = select(Book).options(joinedload(Book.author)).order_by(Book.id)
    found: Found = {
        "lazily": [
            (book.price, book.published, book.colour, book.facts, book.cover)
            for book in sorted(author.books, key=lambda book: book.id)
        ],
        "eagerly": [(each.name, len(each.books)) for each in session.scalars(eager)],
        "joined": [book.author.name for book in session.scalars(joined)],
        "counted": session.scalar(select(func.count()).select_from(Author)),
        "streamed": [
            number
            for part in session.scalars(
                select(Author.id).order_by(Author.id).execution_options(yield_per=7)
            ).partitions()
            for number in part
        ],
    }
    session.commit()
    return found


def transactions(session: Session) -> Found:
    session.add(Author(name="gone"))
    session.flush()
    session.rollback()
    with session.begin_nested() as savepoint:
        session.add(Author(name="gone as well"))
        session.flush()
        savepoint.rollback()
    session.add(Author(name="kept"))
    session.commit()
    names = session.scalars(select(Author.name).where(Author.name.like("gone%") | (Author.name == "kept"))).all()
    found: Found = {"names": list(names)}
    found["locked"] = session.scalar(select(Author.name).where(Author.id == 1).with_for_update())
    session.commit()
    author = session.get_one(Author, 1)
    session.delete(author)
    session.commit()
    found["orphans"] = session.scalar(select(func.count()).select_from(Book))
    found["duplicate"] = error_of(session, text("INSERT INTO author (name) VALUES ('kept')"))
    found["no table"] = error_of(session, text("SELECT * FROM no_such_table"))
    found["syntax"] = error_of(session, text("SELEC 1"))
    return found


def reflected(on: Engine) -> Found:
    inspector = inspect(on)
    columns = [{**column, "type": str(column["type"])} for column in inspector.get_columns("book")]
    return {
        "tables": [name for name in inspector.get_table_names() if name in ("author", "book")],
        "columns": columns,
        "foreign keys": inspector.get_foreign_keys("book"),
        "indexes": inspector.get_indexes("author"),
        "version": on.dialect.server_version_info,
        "mariadb": on.dialect.name,
    }


def everything(driver: str, to: Endpoint) -> Found:
    with engine(driver, to, pool_pre_ping=True, pool_size=2) as on:
        Base.metadata.drop_all(on)
        Base.metadata.create_all(on)
        with Session(on) as session:
            written(session)
            found = read_back(session)
        with Session(on.execution_options(isolation_level="AUTOCOMMIT")) as session:
            found |= {f"{name} in autocommit": seen for name, seen in read_back(session).items()}
        with Session(on) as session:
            found |= transactions(session)
        with Session(on.execution_options(isolation_level="READ COMMITTED")) as session:
            found["committed"] = session.scalar(select(func.count()).select_from(Author))
        found |= reflected(on)
        Base.metadata.drop_all(on)
    return found


@pytest.mark.parametrize("driver", SYNC)
def test_sqlalchemy_sees_no_difference(endpoints: Endpoints, driver: str) -> None:
    found = compared(endpoints, lambda endpoint: everything(driver, endpoint))
    assert found["names"] == ["kept"]
    assert found["lazily"] == found["lazily in autocommit"]
    assert found["lazily"][1][3] == {"tags": ["a", None], "ü": 1}


async def asynchronously(driver: str, to: Endpoint) -> Found:
    on = create_async_engine(url(driver, to), pool_pre_ping=True)
    async with on.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(on) as session:
        # Version 0.3 of aiomysql cannot write bytes into a statement.
        await session.run_sync(written, *((None,) if driver == "aiomysql" else ()))
        found: Found = await session.run_sync(read_back)
        found |= await session.run_sync(transactions)
        rows = await session.stream_scalars(select(Author.name).order_by(Author.id))
        found["stream"] = [name async for name in rows]
    async with on.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await on.dispose()
    return found


@pytest.mark.parametrize("driver", ASYNC)
def test_sqlalchemy_sees_no_difference_with_asyncio(endpoints: Endpoints, driver: str) -> None:
    found = compared(endpoints, lambda endpoint: asyncio.run(asynchronously(driver, endpoint)))
    assert found["names"] == ["kept"]
