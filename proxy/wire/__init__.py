"""The MySQL client/server protocol as bytes and values, without any I/O.

Source for the formats: the "Client/Server Protocol" developer pages of MySQL, the protocol pages of the MariaDB
knowledge base, and byte sequences recorded from MariaDB 10.11 and MySQL 9.7 servers.
"""
