# Runs statements with Perl's DBI, over DBD::mysql or DBD::MariaDB, as text and prepared on the server.
# Arguments: driver, host, port, schema; MANYREADS_USER and MANYREADS_PASSWORD. Prints what came of it as one JSON object.
use strict;
use warnings;
use utf8;
use DBI;
use JSON::PP;

my ($driver, $host, $port, $schema) = @ARGV;
my $prefix = lc $driver;
my %found;

sub opened {
    my ($password, $prepared) = @_;
    my $unicode = $driver eq 'mysql' ? { mysql_enable_utf8mb4 => 1 } : {};
    return DBI->connect("DBI:$driver:database=$schema;host=$host;port=$port", $ENV{MANYREADS_USER}, $password,
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, "${prefix}_server_prepare" => $prepared, %$unicode });
}

sub error_of {
    my ($db, $sql, @values) = @_;
    eval { $db->do($sql, undef, @values); 1 } and die "what must fail did not: $sql";
    return [$db->err, $db->state, $db->errstr];
}

sub scenario {
    my ($db, $prepared) = @_;
    my @found;
    $db->do('DROP TABLE IF EXISTS item');
    $db->do('CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2), text VARCHAR(200),'
        . ' content LONGBLOB, nothing INT) CHARACTER SET utf8mb4');
    my $insert = $db->prepare('INSERT INTO item (amount, text, nothing) VALUES (?, ?, ?)');
    $insert->execute(@$_) for ['-12.50', "Grüße, 世界, 🎉 'q' \\ %", undef], [1, '', 7];
    push @found, $db->last_insert_id(undef, undef, undef, undef);
    my $select = $db->prepare('SELECT id, amount, text, nothing FROM item WHERE id >= ? ORDER BY id');
    for my $from (0, 2, 9) {
        $select->execute($from);
        push @found, $select->fetchall_arrayref;
    }
    my $lengths = $db->prepare('SELECT LENGTH(?), ?');
    $lengths->execute('x' x 1048576, undef);
    push @found, $lengths->fetchall_arrayref;
    # Rows one by one: DBD::mysql cannot with statements prepared on the server, DBD::MariaDB loses its place after them.
    my $one_by_one = $driver eq 'mysql' && !$prepared;
    my $streamed = $db->prepare('SELECT id FROM item ORDER BY id', { "${prefix}_use_result" => $one_by_one });
    $streamed->execute;
    while (my @row = $streamed->fetchrow_array) { push @found, \@row }
    push @found, $db->do('UPDATE item SET nothing = 8 WHERE nothing = 7') . '';
    for my $end ('rollback', 'commit') {
        $db->begin_work;
        $db->do("INSERT INTO item (text) VALUES ('in a transaction')");
        $db->$end;
        push @found, $db->selectrow_array("SELECT COUNT(*) FROM item WHERE text = 'in a transaction'");
    }
    push @found, error_of($db, 'SELEC 1'), error_of($db, 'SELECT * FROM no_such_table'),
        error_of($db, 'INSERT INTO item (id) VALUES (?)', 1);
    push @found, $db->ping ? 'alive' : 'dead';
    return \@found;
}

for my $prepared (0, 1) {
    my $db = opened($ENV{MANYREADS_PASSWORD}, $prepared);
    $found{$prepared ? 'prepared' : 'text'} = scenario($db, $prepared);
    $db->disconnect;
}
my $db = opened($ENV{MANYREADS_PASSWORD}, 0);
my $call = $db->prepare('CALL several(7)');
$call->execute;
my @results;
do { push @results, $call->fetchall_arrayref if $call->{NUM_OF_FIELDS} } while ($call->more_results);
$found{procedure} = \@results;
$found{tables} = [$db->tables(undef, $schema, 'item', 'TABLE')];
$found{key} = [$db->primary_key(undef, $schema, 'item')];
$db->disconnect;
eval { opened('wrong', 0); 1 } and die 'a wrong password was accepted';
$found{refused} = [DBI->err, DBI->errstr];
print JSON::PP->new->utf8->canonical->encode(\%found);
