"""`python -m tests.integration.drivers.django_application`: a small application.

A process of its own, because Django's settings last for a process.
"""

import datetime
import decimal
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction

from tests.integration.drivers.endpoint import SCHEMA, UNICODE, Endpoint, Found
from tests.integration.drivers.processes import answer


def configure(to: Endpoint) -> None:
    database = {
        "ENGINE": "django.db.backends.mysql",
        "NAME": SCHEMA,
        "HOST": to.host,
        "PORT": to.port,
        "USER": to.user,
        "PASSWORD": to.password,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"isolation_level": "read committed", "init_command": "SET @first = 'said'"},
    }
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["tests.integration.drivers"], USE_TZ=True)
    django.setup()


def error_of(action: Any) -> object:
    try:
        with transaction.atomic():
            action()
    except DatabaseError as error:
        return (type(error).__name__, error.args)
    raise AssertionError("what must fail did not")


def application() -> Found:
    class Author(models.Model):
        name = models.CharField(max_length=100, unique=True)

        class Meta:
            app_label = "drivers"

    class Book(models.Model):
        author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
        price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
        published = models.DateTimeField(null=True)
        length = models.DurationField(null=True)
        facts = models.JSONField(null=True)
        cover = models.BinaryField(null=True)
        number = models.UUIDField(null=True)

        class Meta:
            app_label = "drivers"
            indexes = (models.Index(fields=["author", "price"], name="by_price"),)

    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    try:
        return {
            **written_and_read(Author, Book),
            **transactions(Author),
            **errors(Author),
            **about_the_connection(Book),
        }
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Book)
            editor.delete_model(Author)


def written_and_read(author: Any, book: Any) -> Found:
    writer = author.objects.create(name=UNICODE)
    moment = datetime.datetime(2024, 2, 29, 12, 30, 0, 123456, tzinfo=datetime.UTC)
    book.objects.create(author=writer, price=decimal.Decimal("12.50"), published=moment, facts={"ü": [1, None]})
    book.objects.create(author=writer, length=datetime.timedelta(hours=-1), cover=bytes(range(256)))
    author.objects.bulk_create([author(name=f"author {number}") for number in range(50)], batch_size=20)
    author.objects.bulk_create([author(name=UNICODE)], ignore_conflicts=True)
    made = [author.objects.get_or_create(name=name)[1] for name in ("author 1", "new", "new")]
    author.objects.filter(name="new").update(name=models.functions.Concat("name", models.Value("er")))
    counted = author.objects.annotate(n=models.Count("books")).filter(n__gt=0)
    return {
        "books": list(writer.books.order_by("id").values()),
        "joined": [each.author.name for each in book.objects.select_related("author").order_by("id")],
        "prefetched": [len(each.books.all()) for each in author.objects.prefetch_related("books").order_by("id")[:2]],
        "counted": list(counted.values_list("name", "n")),
        "facts": book.objects.filter(facts__has_key="ü").count(),
        "by year": list(book.objects.filter(published__year=2024).values_list("price", flat=True)),
        "streamed": [each.pk for each in author.objects.order_by("id").iterator(chunk_size=10)],
        "made": made,
        "renamed": author.objects.filter(name="newer").exists(),
        "searched": author.objects.filter(name__icontains="grüße").count(),
    }


def transactions(author: Any) -> Found:
    def failing() -> None:
        with transaction.atomic():
            author.objects.create(name="gone")
            with transaction.atomic():
                author.objects.create(name="gone, too")
            raise ZeroDivisionError

    found: Found = {}
    try:
        failing()
    except ZeroDivisionError:
        found["gone"] = author.objects.filter(name__startswith="gone").count()
    with transaction.atomic():
        author.objects.create(name="kept")
        found["locked"] = author.objects.select_for_update().get(name="kept").name
        transaction.on_commit(lambda: found.setdefault("committed", author.objects.filter(name="kept").count()))
    return found


def errors(author: Any) -> Found:
    return {
        "duplicate": error_of(lambda: author.objects.create(name="kept")),
        "too long": error_of(lambda: author.objects.create(name="x" * 101)),
        "no table": error_of(lambda: list(author.objects.raw("SELECT * FROM no_such_table"))),
    }


def about_the_connection(book: Any) -> Found:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @first, @@autocommit, DATABASE()")
        found: Found = {"session": cursor.fetchall()}
        cursor.execute("SHOW VARIABLES LIKE '%_isolation'")
        found["isolation"] = cursor.fetchall()
        cursor.callproc("several", [7])
        found["procedure"] = cursor.fetchall()
        found["constraints"] = connection.introspection.get_constraints(cursor, book._meta.db_table)
        found["description"] = connection.introspection.get_table_description(cursor, book._meta.db_table)
    found["usable"] = connection.is_usable()
    found["version"] = connection.mysql_version
    return found


def scenario(to: Endpoint) -> Found:
    configure(to)
    return application()


if __name__ == "__main__":
    answer(scenario)
