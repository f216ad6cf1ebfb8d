-- One event: read `rows` whole rows of the table that sysbench's own tests have filled, about 190 bytes each.

sysbench.cmdline.options = {
   rows = {"Rows per result", 100000}
}

function thread_init()
   connection = sysbench.sql.driver():connect()
end

function event()
   connection:query("SELECT id, k, c, pad FROM sbtest1 LIMIT " .. sysbench.opt.rows)
end

function thread_done()
   connection:disconnect()
end
