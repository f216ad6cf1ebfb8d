// Runs statements with MariaDB's Connector/J: `java -cp connector.jar Suite.java HOST PORT SCHEMA`, the user and the
// password in MANYREADS_USER and MANYREADS_PASSWORD. Prints one line for each thing seen, which can be compared.
import java.sql.*;
import java.util.*;

public class Suite {
    static final String TEXT = "Grüße, 世界, 🎉 'quoted' \\ %";

    interface Action { void run() throws SQLException; }

    static void seen(String what, Object value) { System.out.println(what + ": " + value); }

    static void error(String what, Action action) {
        try {
            action.run();
        } catch (SQLException error) {
            // The text has the connection's number in it, or the port.
            String text = error.getMessage().replaceAll("(conn|port)=\\d+", "$1");
            seen(what, error.getErrorCode() + " " + error.getSQLState() + " " + text);
            return;
        }
        throw new IllegalStateException("what must fail did not: " + what);
    }

    static String rows(ResultSet result) throws SQLException {
        List<String> rows = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<String> row = new ArrayList<>();
            for (int column = 1; column <= columns; column++) row.add(result.getString(column));
            rows.add(row.toString());
        }
        result.close();
        return rows.toString();
    }

    static void results(String what, Statement statement, boolean result) throws SQLException {
        while (result || statement.getUpdateCount() != -1) {
            seen(what, result ? rows(statement.getResultSet()) : "changed " + statement.getUpdateCount());
            result = statement.getMoreResults();
        }
    }

    static void prepared(Connection db) throws SQLException {
        String sql = "INSERT INTO item (amount, moment, text, content, nothing) VALUES (?, ?, ?, ?, ?)";
        try (PreparedStatement insert = db.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
            for (int turn = 0; turn < 2; turn++) {
                insert.setBigDecimal(1, new java.math.BigDecimal("-12.50"));
                insert.setTimestamp(2, Timestamp.valueOf("2024-02-29 23:59:59.999999"));
                insert.setString(3, TEXT);
                insert.setBinaryStream(4, new java.io.ByteArrayInputStream(new byte[1 << 20]));
                insert.setNull(5, Types.INTEGER);
                insert.executeUpdate();
                seen("key", rows(insert.getGeneratedKeys()));
            }
        }
        String select = "SELECT id, amount, moment, text, LENGTH(content), nothing FROM item WHERE id >= ? ORDER BY id";
        try (PreparedStatement statement = db.prepareStatement(select)) {
            for (int from : new int[] {0, 2, 9}) {
                statement.setInt(1, from);
                seen("prepared", rows(statement.executeQuery()));
            }
        }
    }

    static void batches(Connection db) throws SQLException {
        try (PreparedStatement batch = db.prepareStatement("INSERT INTO item (id, nothing) VALUES (?, ?)")) {
            for (int number = 100; number < 150; number++) {
                batch.setInt(1, number);
                batch.setInt(2, number * 2);
                batch.addBatch();
            }
            seen("batch", batch.executeBatch().length);
            batch.setInt(1, 200);
            batch.setInt(2, 0);
            batch.addBatch();
            batch.setInt(1, 100);
            batch.setInt(2, 0);
            batch.addBatch();
            error("failing batch", batch::executeBatch);
        }
        try (Statement batch = db.createStatement()) {
            for (int number = 300; number < 320; number++) batch.addBatch("INSERT INTO item (id) VALUES (" + number + ")");
            seen("text batch", Arrays.toString(batch.executeBatch()));
        }
        seen("count", rows(db.createStatement().executeQuery("SELECT COUNT(*), SUM(nothing) FROM item WHERE id < 200")));
    }

    static void transactions(Connection db) throws SQLException {
        for (boolean commit : new boolean[] {false, true}) {
            db.setAutoCommit(false);
            db.createStatement().execute("INSERT INTO item (text) VALUES ('in a transaction')");
            Savepoint savepoint = db.setSavepoint("here");
            db.createStatement().execute("INSERT INTO item (text) VALUES ('in a transaction')");
            db.rollback(savepoint);
            if (commit) db.commit(); else db.rollback();
            db.setAutoCommit(true);
            seen("counted", rows(db.createStatement().executeQuery(
                "SELECT COUNT(*) FROM item WHERE text = 'in a transaction'")));
        }
        // Connector/J's own way to say that a connection only reads.
        db.setReadOnly(true);
        seen("read only", rows(db.createStatement().executeQuery("SELECT id FROM item WHERE id < 3 ORDER BY id")));
        db.setReadOnly(false);
        db.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        seen("isolation", db.getTransactionIsolation());
    }

    static void others(Connection db, String schema) throws SQLException {
        try (Statement several = db.createStatement()) {
            results("several", several, several.execute("SELECT 1; SELECT 2, 'x'; DO 1; SELECT 3"));
            several.setFetchSize(2);
            seen("streamed", rows(several.executeQuery("SELECT id FROM item WHERE id < 10 ORDER BY id")));
            several.setMaxRows(1);
            seen("first", rows(several.executeQuery("SELECT id FROM item ORDER BY id")));
        }
        try (CallableStatement call = db.prepareCall("{CALL several(?)}")) {
            call.setInt(1, 7);
            results("procedure", call, call.execute());
        }
        db.createStatement().execute("DROP PROCEDURE IF EXISTS parameters");
        db.createStatement().execute("CREATE PROCEDURE parameters(IN a INT, OUT b INT) BEGIN SET b = a * 2; END");
        try (CallableStatement call = db.prepareCall("{CALL parameters(?, ?)}")) {
            call.setInt(1, 21);
            call.registerOutParameter(2, Types.INTEGER);
            call.execute();
            seen("parameter", call.getInt(2));
        }
        db.createStatement().execute("DROP PROCEDURE parameters");
        try (Statement limited = db.createStatement()) {
            limited.execute("SELECT 1 / 0");
            SQLWarning warning = limited.getWarnings();
            seen("warning", warning == null ? "none" : warning.getMessage());
        }
        DatabaseMetaData about = db.getMetaData();
        seen("product", about.getDatabaseProductName() + " " + about.getDatabaseProductVersion());
        seen("columns", rows(about.getColumns(schema, null, "item", "%")));
        seen("valid", db.isValid(5));
        error("syntax", () -> db.createStatement().execute("SELEC 1"));
        error("no table", () -> db.createStatement().execute("SELECT * FROM no_such_table"));
        error("no column", () -> db.prepareStatement("SELECT no_such_column FROM item WHERE id = ?").execute());
        error("duplicate", () -> db.createStatement().execute("INSERT INTO item (id) VALUES (1)"));
    }

    static Connection opened(String url, String password) throws SQLException {
        return DriverManager.getConnection(url, System.getenv("MANYREADS_USER"), password);
    }

    public static void main(String[] given) throws SQLException {
        String url = "jdbc:mariadb://" + given[0] + ":" + given[1] + "/" + given[2]
            + "?allowMultiQueries=true&allowPublicKeyRetrieval=true";
        String password = System.getenv("MANYREADS_PASSWORD");
        for (String options : new String[] {"", "&useServerPrepStmts=true", "&rewriteBatchedStatements=true"}) {
            seen("options", options);
            try (Connection db = opened(url + options, password)) {
                db.createStatement().execute("DROP TABLE IF EXISTS item");
                db.createStatement().execute("CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2),"
                    + " moment DATETIME(6), text VARCHAR(200), content LONGBLOB, nothing INT) CHARACTER SET utf8mb4");
                prepared(db);
                batches(db);
                transactions(db);
                others(db, given[2]);
            }
        }
        error("refused", () -> opened(url, "wrong"));
    }
}
